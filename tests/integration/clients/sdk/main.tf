# SPDX-License-Identifier: Apache-2.0
# A deployment as people write it; only the endpoint and the skipped checks of credentials are for a local one.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "endpoint" {}
variable "zip" {}
variable "memory" { default = 256 }
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "x"
  secret_key                  = "y"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    lambda = var.endpoint
  }
}
resource "aws_lambda_layer_version" "shared" {
  layer_name          = "shared"
  filename            = "${path.module}/layer.zip"
  compatible_runtimes = ["python3.11"]
}
resource "aws_lambda_function" "job" {
  function_name                  = "job"
  role                           = "arn:aws:iam::123456789012:role/job"
  runtime                        = "python3.11"
  handler                        = "app.handler"
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  memory_size                    = var.memory
  timeout                        = 20
  layers                         = [aws_lambda_layer_version.shared.arn]
  reserved_concurrent_executions = 4
  publish                        = true
  environment {
    variables = { GREETING = "tf" }
  }
  tags = { team = "tests" }
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.job.function_name
  function_version = aws_lambda_function.job.version
}
resource "aws_lambda_permission" "s3" {
  statement_id  = "s3"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.job.function_name
  principal     = "s3.amazonaws.com"
  source_arn    = "arn:aws:s3:::bucket"
}
resource "aws_lambda_function_event_invoke_config" "job" {
  function_name          = aws_lambda_function.job.function_name
  maximum_retry_attempts = 1
}
resource "aws_lambda_invocation" "first" {
  function_name = aws_lambda_function.job.function_name
  input         = jsonencode({ n = 1 })
}
output "result" { value = aws_lambda_invocation.first.result }
