# SPDX-License-Identifier: Apache-2.0
profilesdir = $(pkgdatadir)/profiles
dist_profiles_DATA = \
	profiles/aws-lambda-2020-02.json \
	profiles/aws-lambda-2026-11.json \
	profiles/ec2-2026-11.json \
	profiles/fargate-2026-11.json
