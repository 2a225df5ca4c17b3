# SPDX-License-Identifier: Apache-2.0
#
# A worked example: the packaged engine in a block design for a PYNQ board, with its stream ports looped through a FIFO where an accelerator
# would be. Ends with the wrapper of the design as the top of the project, ready for launch_runs.
#
#   vivado -mode batch -source block_design.tcl -tclargs IP_FOLDER [PROJECT_FOLDER]
#
# IP_FOLDER is ip/ of the work root of FuseSoC's target package_ip.

if {$argc < 1} {
    error "usage: vivado -mode batch -source block_design.tcl -tclargs IP_FOLDER [PROJECT_FOLDER]"
}
set ip_folder [file normalize [lindex $argv 0]]
set project_folder [expr {$argc > 1 ? [lindex $argv 1] : "tensorpress_example"}]
if {![file exists [file join $ip_folder component.xml]]} {
    error "block_design: there is no component.xml in $ip_folder; make it with: fusesoc run --target=package_ip tensorpress:ip:tensorpress"
}

create_project tensorpress_example $project_folder -part xc7z020clg400-1 -force
set_property ip_repo_paths $ip_folder [current_project]
update_ip_catalog
create_bd_design system

# Processing system: GP0 for registers, HP0 for the engine's memory port, FCLK0 and the interrupt of the fabric
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 processing_system7]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {make_external "FIXED_IO, DDR"} $ps
set_property -dict {
    CONFIG.PCW_USE_M_AXI_GP0 1
    CONFIG.PCW_USE_S_AXI_HP0 1
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64
    CONFIG.PCW_EN_CLK0_PORT 1
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 125
    CONFIG.PCW_USE_FABRIC_INTERRUPT 1
    CONFIG.PCW_IRQ_F2P_INTR 1
} $ps

set engine [create_bd_cell -type ip -vlnv tensorpress:engine:tensorpress_engine:1.0 engine]
set_property -dict {CONFIG.LANES 4 CONFIG.ENCODE_LANES 4 CONFIG.DECODE_LANES 4} $engine
set interrupts [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc:4.1 interrupts]
set_property CONFIG.C_IRQ_CONNECTION 1 $interrupts
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset]
set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 control]
set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 2} $control
set memory [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 memory]
set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 1} $memory
set loop [create_bd_cell -type ip -vlnv xilinx.com:ip:axis_data_fifo:2.0 accelerator]
set_property -dict {CONFIG.TDATA_NUM_BYTES 8 CONFIG.HAS_TKEEP 1 CONFIG.HAS_TLAST 1 CONFIG.FIFO_DEPTH 1024} $loop

# Clock and reset
connect_bd_net [get_bd_pins processing_system7/FCLK_CLK0] \
    [get_bd_pins processing_system7/M_AXI_GP0_ACLK] [get_bd_pins processing_system7/S_AXI_HP0_ACLK] \
    [get_bd_pins engine/aclk] [get_bd_pins interrupts/s_axi_aclk] [get_bd_pins reset/slowest_sync_clk] \
    [get_bd_pins control/aclk] [get_bd_pins memory/aclk] [get_bd_pins accelerator/s_axis_aclk]
connect_bd_net [get_bd_pins processing_system7/FCLK_RESET0_N] [get_bd_pins reset/ext_reset_in]
connect_bd_net [get_bd_pins reset/peripheral_aresetn] \
    [get_bd_pins engine/aresetn] [get_bd_pins interrupts/s_axi_aresetn] [get_bd_pins control/aresetn] [get_bd_pins memory/aresetn] \
    [get_bd_pins accelerator/s_axis_aresetn]

# Buses
connect_bd_intf_net [get_bd_intf_pins processing_system7/M_AXI_GP0] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins engine/s_axi]
connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins interrupts/s_axi]
connect_bd_intf_net [get_bd_intf_pins engine/m_axi] [get_bd_intf_pins memory/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins processing_system7/S_AXI_HP0]
connect_bd_intf_net [get_bd_intf_pins engine/m_axis_raw] [get_bd_intf_pins accelerator/S_AXIS]
connect_bd_intf_net [get_bd_intf_pins accelerator/M_AXIS] [get_bd_intf_pins engine/s_axis_raw]

# Interrupt
connect_bd_net [get_bd_pins engine/irq] [get_bd_pins interrupts/intr]
connect_bd_net [get_bd_pins interrupts/irq] [get_bd_pins processing_system7/IRQ_F2P]

# Addresses as on the boards of cores/pynq
assign_bd_address -offset 0x40000000 -range 4K -target_address_space [get_bd_addr_spaces processing_system7/Data] \
    [get_bd_addr_segs engine/s_axi/reg0]
assign_bd_address -offset 0x40010000 -range 4K -target_address_space [get_bd_addr_spaces processing_system7/Data] \
    [get_bd_addr_segs interrupts/S_AXI/Reg]
assign_bd_address -target_address_space [get_bd_addr_spaces engine/m_axi] [get_bd_addr_segs processing_system7/S_AXI_HP0/HP0_DDR_LOWOCM]

validate_bd_design
save_bd_design
set wrapper [make_wrapper -files [get_files system.bd] -top]
add_files -norecurse $wrapper
set_property top system_wrapper [current_fileset]
puts "made the block design; next: launch_runs impl_1 -to_step write_bitstream"
