# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/log.md docs/profiles.md docs/templates.md
EXTRA_DIST += docs/life-cycle.md
EXTRA_DIST += docs/performance.md
EXTRA_DIST += docs/architecture.md
# Made from the program's own tables; kept in the tree so that a build needs to run nothing. `make docs` makes them anew, a test compares.
dist_man_MANS += docs/lambdafit.1
EXTRA_DIST += docs/cli.md
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = docs/completion/lambdafit
.PHONY: docs
docs: lambdafit
	$(MKDIR_P) '$(srcdir)/docs/completion'
	LAMBDAFIT_DATADIR='$(abs_top_srcdir)' ./lambdafit help --format man > '$(srcdir)/docs/lambdafit.1'
	LAMBDAFIT_DATADIR='$(abs_top_srcdir)' ./lambdafit help --format markdown > '$(srcdir)/docs/cli.md'
	LAMBDAFIT_DATADIR='$(abs_top_srcdir)' ./lambdafit help --format bash > '$(srcdir)/docs/completion/lambdafit'
EXTRA_DIST += docs/sandbox.md
EXTRA_DIST += docs/layers.md
EXTRA_DIST += docs/top.md docs/simulate.md
EXTRA_DIST += docs/function-urls.md
EXTRA_DIST += docs/invoke-api.md
EXTRA_DIST += docs/check.md
