# SPDX-License-Identifier: Apache-2.0
# include it in a Makefile: make lambda-check, make lambda-baseline.
LAMBDAFIT ?= lambdafit
LAMBDAFIT_FILE ?= lambdafit.yaml
LAMBDAFIT_FLAGS ?=

.PHONY: lambda-check lambda-baseline
lambda-check:
	$(LAMBDAFIT) check $(LAMBDAFIT_FLAGS) $(LAMBDAFIT_FILE)
lambda-baseline:
	$(LAMBDAFIT) check --update $(LAMBDAFIT_FLAGS) $(LAMBDAFIT_FILE)
