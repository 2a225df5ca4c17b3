# SPDX-License-Identifier: Apache-2.0
#
# Packages the open project's tensorpress_engine as an IP in the folder ip/: bus interfaces, clock, reset, interrupt, parameters with their
# ranges, and the register map. FuseSoC's target package_ip sources it when all files are in the project; registers.tcl is made before that
# (scripts/fusesoc_hooks.py registers).

source registers.tcl
lassign [split $engine_vlnv :] vendor library name version

# FuseSoC's script sets the include folders only later; an IP carries its header as a file
set header [glob src/*/tensorpress_registers.vh]
add_files -norecurse $header
set_property file_type {Verilog Header} [get_files $header]
set_property include_dirs [file dirname $header] [get_filesets sources_1]
set_property top tensorpress_engine [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir ip -vendor $vendor -library $library -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name $name $core
set_property version $version $core
set_property core_revision 1 $core
set_property display_name {tensorpress engine} $core
set_property description {Compressing DMA: lossless tensor compression between an accelerator and its DRAM} $core
set_property vendor_display_name tensorpress $core
set_property supported_families {zynq Production artix7 Production kintex7 Production} $core

# Interfaces. Vivado finds them by the names of the ports; a build in which it does not is useless, so say so.
foreach interface {s_axi m_axi m1_axi s_axis_raw m_axis_raw aclk aresetn} {
    if {[llength [ipx::get_bus_interfaces $interface -of_objects $core]] != 1} {
        error "package_ip: Vivado found no interface $interface at tensorpress_engine"
    }
}
foreach interface {s_axi m_axi m1_axi s_axis_raw m_axis_raw} {
    ipx::associate_bus_interfaces -busif $interface -clock aclk $core
}
ipx::associate_bus_interfaces -clock aclk -reset aresetn $core
set_property enablement_dependency {$MEMORY_PORTS = 2} [ipx::get_bus_interfaces m1_axi -of_objects $core]
if {[llength [ipx::get_bus_interfaces irq -of_objects $core]] == 0} {
    ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core
}
set irq [ipx::get_bus_interfaces irq -of_objects $core]
set_property value LEVEL_HIGH [ipx::add_bus_parameter SENSITIVITY $irq]

# Parameters
foreach {parameter text low high} {
    LANES             {Lanes, each codes one value a cycle}            1   16
    CODECS            {Codecs: 1 raw, 2 zvc, 4 ebpc, 8 apack}          1   15
    ENCODE_LANES      {Lanes that compress}                            0   16
    DECODE_LANES      {Lanes that decompress}                          0   16
    ENCODE_CODECS     {Codecs that compress}                           0   15
    DECODE_CODECS     {Codecs that decompress}                         0   15
    BLOCK_BYTES       {Largest raw block in bytes, a power of 2}       512 16384
    STREAM_BYTES      {Bytes of a beat of the stream ports}            8   8
    MEMORY_PORTS      {Memory ports; the second one only reads}        1   2
    READ_OUTSTANDING  {Read bursts on the way at once}                 2   16
    WRITE_OUTSTANDING {Write bursts on the way at once}                2   16
    APACK_CODERS      {Interleaved coders of an apack block}           8   16
    APACK_TREE        {1: apack decoders with fewer DSP blocks}        0   1
} {
    set user [ipx::get_user_parameters $parameter -of_objects $core]
    set_property display_name $text $user
    set_property value_validation_type range_long $user
    set_property value_validation_range_minimum $low $user
    set_property value_validation_range_maximum $high $user
}

# Registers: exactly one block in one map, which is what pynq needs to bind a driver to the IP and not to one of its interfaces.
ipx::remove_all_memory_map $core
set map [ipx::add_memory_map s_axi $core]
set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $core]
set block [ipx::add_address_block reg0 $map]
set_property usage register $block
set_property access read-write $block
set_property base_address 0 $block
set_property range $engine_range $block
set_property width 32 $block
foreach entry $engine_registers {
    lassign $entry register_name offset access text fields
    set register [ipx::add_register $register_name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    set_property access $access $register
    set_property description $text $register
    foreach part $fields {
        lassign $part field_name shift width field_text
        set field [ipx::add_field $field_name $register]
        set_property bit_offset $shift $field
        set_property bit_width $width $field
        set_property access $access $field
        set_property description $field_text $field
    }
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
puts "packaged $engine_vlnv in [file normalize ip]"
