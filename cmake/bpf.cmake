# SPDX-License-Identifier: Apache-2.0
# phx_bpf_skeleton(NAME SOURCE): compiles SOURCE for BPF and makes the interface library NAME_skeleton, whose
# header NAME.skel.h embeds the object, so that binaries need no file beside them.
find_program(PHX_BPF_CLANG NAMES clang REQUIRED)
find_program(PHX_LLVM_STRIP NAMES llvm-strip REQUIRED)
find_program(PHX_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

# -mcpu=v3 is the newest that Linux 6.1 takes. __x86_64__ lets glibc's and the kernel's headers find their
# word size under -target bpf.
set(PHX_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g -std=gnu11 -D__x86_64__ -Wall -Wextra -Wshadow -Werror
  -Wno-unused-parameter -I${CMAKE_SOURCE_DIR}/bpf -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})

function(phx_bpf_skeleton name source)
  get_filename_component(source ${source} ABSOLUTE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/skeleton/${name}.skel.h)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${PHX_BPF_CLANG} ${PHX_BPF_FLAGS} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${PHX_LLVM_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "BPF ${name}" VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/skeleton
    COMMAND sh -c "${PHX_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}.new && mv ${skeleton}.new ${skeleton}"
    DEPENDS ${object}
    COMMENT "skeleton ${name}" VERBATIM)
  add_custom_target(${name}_skeleton_header DEPENDS ${skeleton})
  add_library(${name}_skeleton INTERFACE)
  add_dependencies(${name}_skeleton ${name}_skeleton_header)
  target_include_directories(${name}_skeleton SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  target_link_libraries(${name}_skeleton INTERFACE PkgConfig::LIBBPF)
endfunction()
