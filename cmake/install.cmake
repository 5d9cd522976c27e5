# SPDX-License-Identifier: MPL-2.0
# What `cmake --install` puts where: the program, both libraries, the headers, and what finds them (pkg-config, CMake).
include (CMakePackageConfigHelpers)
set (package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/synod)
set (generated ${CMAKE_BINARY_DIR}/package)

install (TARGETS synod EXPORT synodTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install (TARGETS synod_static EXPORT synodStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if (TARGET synod_program)
    install (TARGETS synod_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif ()
install (DIRECTORY include/synod DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install (FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if (EXISTS ${PROJECT_SOURCE_DIR}/tools/synod-broker.service)
    install (FILES tools/synod-broker.service DESTINATION lib/systemd/system)
endif ()

# The static library needs the system's libraries when a program is linked; the shared one brings its own.
install (EXPORT synodTargets NAMESPACE synod:: DESTINATION ${package_dir})
install (EXPORT synodStaticTargets NAMESPACE synod:: DESTINATION ${package_dir})
configure_package_config_file (cmake/synodConfig.cmake.in ${generated}/synodConfig.cmake
                               INSTALL_DESTINATION ${package_dir})
# before 1.0 a minor version may break what was
write_basic_package_version_file (${generated}/synodConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install (FILES ${generated}/synodConfig.cmake ${generated}/synodConfigVersion.cmake DESTINATION ${package_dir})

# the prefix as seen from synod.pc, so that the copy may be moved
file (RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file (cmake/synod.pc.in ${generated}/synod.pc @ONLY)
install (FILES ${generated}/synod.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
