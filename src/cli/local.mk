# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += lambdafit
lambdafit_SOURCES = src/cli/main.c src/cli/commands.c src/cli/options.c src/cli/help.c src/cli/table.c src/cli/function_args.c \
	src/cli/record_json.c src/cli/verdict.c src/cli/cmd_run.c src/cli/cmd_serve.c src/cli/cmd_invoke.c src/cli/cmd_log.c src/cli/log_before.c src/cli/log_before.h \
	src/cli/cmd_doctor.c src/cli/cmd_profile.c src/cli/cmd_layer.c src/cli/layer_size.c src/cli/layer_make.c src/cli/layer.h src/cli/cli.h src/cli/verdict.h include/lambdafit/cli.h include/lambdafit/daemon.h
lambdafit_LDADD = src/tui/liblf_tui.a src/check/file/liblf_check_file.a src/check/liblf_check.a src/daemon/liblf_daemon.a src/api/liblf_api.a src/deploy/liblf_deploy.a src/engine/liblf_engine.a src/sandbox/liblf_sandbox.a \
	$(HTTP_LIBS) src/store/liblf_store.a src/package/liblf_package.a src/template/liblf_template.a src/yaml/liblf_yaml.a src/simulate/liblf_simulate.a src/model/liblf_model.a \
	src/profile/liblf_profile.a src/base/liblf_os.a src/base/liblf_base.a \
	$(UV_LIBS) $(ZIP_LIBS) $(SQLITE_LIBS) $(CJSON_LIBS) $(NETTLE_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(FYAML_LIBS) $(NCURSES_LIBS) -lpthread -lm
lambdafit_SOURCES += src/cli/cmd_report.c src/cli/report.c src/cli/report.h src/cli/report_html.c src/cli/report_markdown.c
lambdafit_SOURCES += src/cli/cmd_validate.c src/cli/targets.c src/cli/targets.h src/cli/env_vars.c
lambdafit_SOURCES += src/cli/cmd_check.c src/cli/check.h src/cli/check_run.c src/cli/check_print.c src/cli/check_loop.c src/cli/check_from.c src/cli/check_init.c
lambdafit_SOURCES += src/cli/cmd_top.c
lambdafit_SOURCES += src/cli/cmd_simulate.c src/cli/sim_scenario.c src/cli/sim_from.c src/cli/sim_sweep.c src/cli/sim_log.c src/cli/sim_html.c src/cli/services.h src/cli/sim_beside.c src/cli/sim_services.c src/cli/sim_run.c src/cli/sim_json.c src/cli/sim_text.c src/cli/simulate.h
