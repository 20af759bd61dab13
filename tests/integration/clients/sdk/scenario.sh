#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a deploy script does with the AWS command line: scenario.sh ENDPOINT FOLDER prints what it was told, as one JSON object.
#   AWS      the command
#   AWS_RAW  what its version wants so that a payload is text
set -uo pipefail
endpoint=$1 folder=$2
: "${AWS:=aws}" "${AWS_RAW:=}"
export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=eu-west-1 AWS_PAGER= AWS_MAX_ATTEMPTS=4
export AWS_CONFIG_FILE=$folder/none AWS_SHARED_CREDENTIALS_FILE=$folder/none
out=$folder/out
mkdir -p "$out"

aws () { command $AWS --endpoint-url "$endpoint" --output json lambda "$@"; }
# An error in the background counts too.
error () { echo "$*" | tee -a "$out/failed" >&2; exit 1; }
together () { wait; [ ! -e "$out/failed" ] || exit 1; } # the command takes a second to start: what is independent runs side by side
# keep NAME COMMAND...: its answer is the member NAME.
keep () { local name=$1; shift; aws "$@" >"$out/$name.json" || error "$*: failed"; }
refuse () { local name=$1; shift; ! aws "$@" >/dev/null 2>"$out/$name.err" || error "$*: was not refused"; }
quiet () { aws "$@" >/dev/null || error "$*: failed"; }
invoke () {
  local name=$1; shift
  aws invoke --function-name job $AWS_RAW "$@" "$out/$name.body" >"$out/$name.json" || error "invoke $*: failed"
}
settings=(--function-name job --role arn:aws:iam::123456789012:role/job --runtime python3.11 --handler app.handler --zip-file "fileb://$folder/one.zip")

keep created create-function "${settings[@]}" --timeout 20 --memory-size 256 --environment 'Variables={GREETING=one}' --tags team=tests
quiet wait function-active-v2 --function-name job
keep active get-function-configuration --function-name job &
keep whole get-function --function-name job &
invoke first --payload '{"n": 1}' --log-type Tail &
together
invoke failed --payload '{"fail": true}' &
invoke dry --invocation-type DryRun &
invoke event --invocation-type Event --payload '{"n": 2}' &
refuse again create-function "${settings[@]}" &
refuse missing get-function --function-name nobody &
together

keep update update-function-code --function-name job --zip-file "fileb://$folder/two.zip"
quiet wait function-updated-v2 --function-name job &
keep layer publish-layer-version --layer-name shared --zip-file "fileb://$folder/layer.zip" --compatible-runtimes python3.11 --description 'shared things' &
together
arn=arn:aws:lambda:eu-west-1:123456789012:layer:shared:1
keep reconfigured update-function-configuration --function-name job --layers "$arn" --environment 'Variables={GREETING=two}'
quiet wait function-updated-v2 --function-name job
invoke second --payload '{"n": 3}' &
keep version publish-version --function-name job --description kept &
together
quiet wait published-version-active --function-name job --qualifier 1 &
keep alias create-alias --function-name job --name live --function-version 1 &
keep reserved put-function-concurrency --function-name job --reserved-concurrent-executions 5 &
together
invoke by_alias --qualifier live --payload '{"n": 4}' &
keep versions list-versions-by-function --function-name job &
keep reserved_now get-function-concurrency --function-name job &
together
quiet delete-function-concurrency --function-name job &
keep account get-account-settings &
keep listed list-functions &
keep layers list-layers &
keep layer_again get-layer-version --layer-name shared --version-number 1 &
keep layer_by_arn get-layer-version-by-arn --arn "$arn" &
together
keep reserved_then get-function-concurrency --function-name job &
quiet delete-layer-version --layer-name shared --version-number 1 &
quiet delete-alias --function-name job --name live &
together
keep layer_versions list-layer-versions --layer-name shared &
invoke third --payload '{"n": 5}' &
together
quiet delete-function --function-name job
refuse gone invoke --function-name job "$out/gone.body"
