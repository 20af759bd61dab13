# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += src/deploy/liblf_deploy.a
src_deploy_liblf_deploy_a_SOURCES = src/deploy/deploy.c src/deploy/registry.c src/deploy/config.c src/deploy/shapes.c src/deploy/reply.c src/deploy/files.c src/deploy/upload.c \
	src/deploy/ready.c src/deploy/functions.c src/deploy/versions.c src/deploy/layers.c src/deploy/extras.c src/deploy/urls.c src/deploy/internal.h include/lambdafit/deploy.h
