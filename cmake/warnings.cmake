# SPDX-License-Identifier: Apache-2.0
# Warnings are errors in all of our code, and only there: libraries are system headers.
add_library(phx_warnings INTERFACE)
target_compile_options(phx_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
