# SPDX-License-Identifier: Apache-2.0

noinst_LIBRARIES += src/sandbox/liblf_sandbox.a
src_sandbox_liblf_sandbox_a_SOURCES =
# What a sandbox is made from.
src_sandbox_liblf_sandbox_a_SOURCES += src/sandbox/client.c src/sandbox/interpreter.c src/sandbox/plan.c
# Control groups.
src_sandbox_liblf_sandbox_a_SOURCES += src/sandbox/cgroup_impl.h src/sandbox/cgroup.c src/sandbox/cgroup_io.c src/sandbox/cgroup_none.c \
	src/sandbox/cgroup_v1.c src/sandbox/cgroup_v2.c
