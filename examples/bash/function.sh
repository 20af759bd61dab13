# SPDX-License-Identifier: Apache-2.0
# The handler: the event comes on standard input, the answer goes to standard output, the log to standard error.

served=0

handler ()
{
  local event
  IFS= read -r -d '' event # all of it; ends with status 1 where no NUL comes
  served=$((served + 1))
  event=${event%$'\n'}
  if [[ $event =~ \"fail\":\ ?true ]]; then
    echo 'asked to fail' >&2
    return 1
  fi
  echo "event of ${#event} characters, invocation $served of this environment" >&2
  printf '{"served": %d, "memory_mb": %d, "event": %s}\n' "$served" "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE" "$event"
}
