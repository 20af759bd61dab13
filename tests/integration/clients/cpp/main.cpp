// SPDX-License-Identifier: Apache-2.0
//
// A function in C++ on aws-lambda-cpp. Its event says what to do; INIT in its environment says how it starts.
#include <aws/lambda-runtime/runtime.h>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

using namespace aws::lambda_runtime;

static int count = 0;

static std::string field(std::string const& event, std::string const& name)
{
    auto at = event.find("\"" + name + "\":");
    if (at == std::string::npos)
        return "";
    at = event.find_first_not_of(" \"", at + name.size() + 3);
    return event.substr(at, event.find_first_of("\",}", at) - at);
}

static invocation_response handle(invocation_request const& request)
{
    count++;
    std::string const& event = request.payload;
    std::string what = event.size() > 4000 ? "" : field(event, "do");
    if (what == "raise")
        return invocation_response::failure(field(event, "text"), "NoGood", "");
    if (what == "exit")
        _exit(std::stoi(field(event, "n")));
    if (what == "signal")
        kill(getpid(), std::stoi(field(event, "n")));
    if (what == "sleep")
        std::this_thread::sleep_for(std::chrono::milliseconds(static_cast<int>(std::stod(field(event, "s")) * 1000)));
    if (what == "big")
        return invocation_response::success("\"" + std::string(std::stoul(field(event, "n")), 'x') + "\"", "application/json");
    if (what == "print")
        printf("%s\n", field(event, "text").c_str()), fflush(stdout);
    if (what == "tmp") {
        std::ofstream f("/tmp/f", std::ios::binary);
        std::string mb(1048576, 'x');
        for (int i = 0; i < std::stoi(field(event, "n")); i++)
            f << mb;
    }
    if (what == "memory") {
        std::string all(std::stoul(field(event, "n")) << 20, 'x');
        return invocation_response::success(std::to_string(all.size()), "application/json");
    }
    return invocation_response::success(
        "{\"count\": " + std::to_string(count) + ", \"event\": " + (event.empty() ? "null" : event) + ", \"id\": \"" + request.request_id +
            "\", \"arn\": \"" + request.function_arn + "\", \"left\": " + std::to_string(request.get_time_remaining().count()) + "}",
        "application/json");
}

int main()
{
    std::string init = getenv("INIT") ? getenv("INIT") : "";
    if (init == "raise")
        throw std::runtime_error("no start");
    if (init == "exit")
        _exit(3);
    if (init == "hang")
        std::this_thread::sleep_for(std::chrono::hours(1));
    run_handler(handle);
    return 0;
}
