# SPDX-License-Identifier: Apache-2.0
# Timing of pynq_top for Vivado: FCLK0 at the parameter CLOCK_MHZ. Sourced when the project is made, after its parameters are set.
set mhz 125
foreach pair [get_property generic [get_filesets sources_1]] {
    regexp {^CLOCK_MHZ=(\d+)$} $pair -> mhz
}
set file [open pynq_clock.xdc w]
puts $file "# Made by pynq_clock.tcl for CLOCK_MHZ = $mhz."
puts $file "create_clock -name fclk0 -period [format %.3f [expr {1000.0 / $mhz}]] \[get_pins {u_ps7/u_ps7/FCLKCLK\[0\]}\]"
puts $file "# The reset is synchronised in u_reset; nobody reads the LEDs in step with the clock."
puts $file "set_false_path -through \[get_pins {u_ps7/u_ps7/FCLKRESETN\[0\]}\]"
puts $file "set_false_path -to \[get_ports {leds\[*\]}\]"
close $file
read_xdc {pynq_clock.xdc}
