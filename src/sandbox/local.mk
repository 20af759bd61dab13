# SPDX-License-Identifier: Apache-2.0

noinst_LIBRARIES += src/sandbox/liblf_sandbox.a
src_sandbox_liblf_sandbox_a_SOURCES =
# What a sandbox is made from.
src_sandbox_liblf_sandbox_a_SOURCES += src/sandbox/client.c src/sandbox/interpreter.c src/sandbox/plan.c
# Control groups.
src_sandbox_liblf_sandbox_a_SOURCES += src/sandbox/cgroup_impl.h src/sandbox/cgroup.c src/sandbox/cgroup_arm.c src/sandbox/cgroup_io.c src/sandbox/cgroup_none.c \
	src/sandbox/cgroup_v1.c src/sandbox/cgroup_v2.c
# The host and one sandbox.
src_sandbox_liblf_sandbox_a_SOURCES += \
	src/sandbox/sandbox_impl.h \
	src/sandbox/clone.c \
	src/sandbox/counts.c src/sandbox/pages.c \
	src/sandbox/host.c \
	src/sandbox/host_files.c \
	src/sandbox/host_sys.c \
	src/sandbox/launch.c \
	src/sandbox/peer.c \
	src/sandbox/sandbox.c \
	src/sandbox/spawn.c

# Pid 1 of a sandbox. It uses no library of ours.
pkglibexec_PROGRAMS += lambdafit-init
lambdafit_init_SOURCES = src/sandbox/init/wire.h src/sandbox/init/init.h src/sandbox/init/main.c src/sandbox/init/parse.c src/sandbox/init/mounts.c \
	src/sandbox/init/confine.c src/sandbox/init/run.c \
	src/sandbox/init/filter.h src/sandbox/init/filter.c src/sandbox/init/filter32.c src/sandbox/init/denied.def
lambdafit_init_CFLAGS = $(AM_CFLAGS) $(LF_INIT_CFLAGS)
lambdafit_init_LDFLAGS = $(AM_LDFLAGS) $(LF_INIT_LDFLAGS)
# What the machine can enforce.
src_sandbox_liblf_sandbox_a_SOURCES += src/sandbox/probe_impl.h src/sandbox/probe.c src/sandbox/probe_ns.c src/sandbox/probe_cg.c
