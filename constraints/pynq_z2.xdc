# SPDX-License-Identifier: Apache-2.0
# Pins of the PYNQ-Z2: the LEDs LD0 (busy), LD1 (error), LD2 (heartbeat). One property a line: Vivado and nextpnr-xilinx read it.
# The processing system's pins have fixed places; the clock is in pynq_clock.tcl.
set_property PACKAGE_PIN R14 [get_ports {leds[0]}]
set_property IOSTANDARD LVCMOS33 [get_ports {leds[0]}]
set_property PACKAGE_PIN P14 [get_ports {leds[1]}]
set_property IOSTANDARD LVCMOS33 [get_ports {leds[1]}]
set_property PACKAGE_PIN N16 [get_ports {leds[2]}]
set_property IOSTANDARD LVCMOS33 [get_ports {leds[2]}]
