# SPDX-License-Identifier: Apache-2.0
# Out-of-context synthesis of tensorpress_engine: one clock of 150 MHz.
create_clock -name aclk -period 6.667 [get_ports aclk]
