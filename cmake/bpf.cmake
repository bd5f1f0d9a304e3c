# SPDX-License-Identifier: Apache-2.0
# phx_bpf_skeleton(NAME SOURCE): compiles SOURCE for BPF and makes the interface library NAME_skeleton, whose
# header NAME.skel.h embeds the object, so that binaries need no file beside them. NAME_skeleton_clang_19 is the same
# by clang 19, where there is one: phx_clang_19_twin() links it.
set(PHX_BPF_COMPILER clang CACHE STRING "the clang that compiles BPF objects, by name")
find_program(PHX_BPF_CLANG NAMES ${PHX_BPF_COMPILER} REQUIRED)
find_program(PHX_CLANG_19 NAMES clang-19)
find_program(PHX_LLVM_STRIP NAMES llvm-strip REQUIRED)
find_program(PHX_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

# -mcpu=v3 is the newest that Linux 6.1 takes. __x86_64__ lets glibc's and the kernel's headers find their
# word size under -target bpf.
set(PHX_BPF_FLAGS -target bpf -mcpu=v3 -O2 -g -std=gnu11 -D__x86_64__ -Wall -Wextra -Wshadow -Werror
  -Wno-unused-parameter -I${CMAKE_SOURCE_DIR}/bpf -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})

function(phx_bpf_skeleton name source)
  get_filename_component(source ${source} ABSOLUTE)
  phx_bpf_skeleton_by(${PHX_BPF_CLANG} ${name}_skeleton ${CMAKE_CURRENT_BINARY_DIR} ${name} ${source})
  if(PHX_CLANG_19)
    phx_bpf_skeleton_by(${PHX_CLANG_19} ${name}_skeleton_clang_19 ${CMAKE_CURRENT_BINARY_DIR}/clang_19 ${name} ${source})
  endif()
endfunction()

function(phx_bpf_skeleton_by clang target directory name source)
  set(object ${directory}/${name}.bpf.o)
  set(skeleton ${directory}/skeleton/${name}.skel.h)
  file(MAKE_DIRECTORY ${directory}/skeleton)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${clang} ${PHX_BPF_FLAGS} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${PHX_LLVM_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "BPF ${target}" VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND sh -c "${PHX_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}.new && mv ${skeleton}.new ${skeleton}"
    DEPENDS ${object}
    COMMENT "skeleton ${target}" VERBATIM)
  add_custom_target(${target}_header DEPENDS ${skeleton})
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_header)
  target_include_directories(${target} SYSTEM INTERFACE ${directory}/skeleton)
  target_link_libraries(${target} INTERFACE PkgConfig::LIBBPF)
endfunction()

# Sets result to those sources of a target which include a skeleton, as absolute paths.
function(phx_sources_with_skeleton target result)
  get_target_property(directory ${target} SOURCE_DIR)
  get_target_property(sources ${target} SOURCES)
  set(found)
  foreach(source ${sources})
    get_filename_component(source ${source} ABSOLUTE BASE_DIR ${directory})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(STRINGS ${source} includes REGEX "#include .*\\.skel\\.h" LIMIT_COUNT 1)
    if(includes)
      list(APPEND found ${source})
    endif()
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# phx_clang_19_twin(PROGRAM LIBRARY...): makes PROGRAM_clang_19, which is PROGRAM with BPF objects by clang 19. Only
# sources that include a skeleton are compiled anew, those of the libraries too: the linker finds what they define
# before it looks into the library.
function(phx_clang_19_twin program)
  phx_sources_with_skeleton(${program} own)
  set(names)
  foreach(source ${own})
    get_filename_component(name ${source} NAME)
    string(REPLACE "." "[.]" name ${name})
    list(APPEND names ${name})
  endforeach()
  list(JOIN names "|" names)
  set(of_libraries)
  foreach(library ${ARGN})
    phx_sources_with_skeleton(${library} sources)
    list(APPEND of_libraries ${sources})
  endforeach()
  set(twin ${program}_clang_19)
  add_executable(${twin} ${own} ${of_libraries}
    "$<FILTER:$<TARGET_OBJECTS:${program}>,EXCLUDE,/(${names})[.]o$>")
  get_target_property(directories ${program} INCLUDE_DIRECTORIES)
  target_include_directories(${twin} PRIVATE ${directories})
  get_target_property(libraries ${program} LINK_LIBRARIES)
  list(TRANSFORM libraries REPLACE "_skeleton$" "_skeleton_clang_19")
  target_link_libraries(${twin} PRIVATE ${libraries})
endfunction()
