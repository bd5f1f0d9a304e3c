# SPDX-License-Identifier: Apache-2.0
# PHX_SANITIZE: a list for -fsanitize=, set by the asan-ubsan and tsan presets.
set(PHX_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them")
if(PHX_SANITIZE)
  add_compile_options(-fsanitize=${PHX_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PHX_SANITIZE})
endif()
