// SPDX-License-Identifier: Apache-2.0

// A function in Go on aws-lambda-go. Its event says what to do; INIT in its environment says how it starts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type order struct {
	Do   string  `json:"do"`
	N    int     `json:"n"`
	S    float64 `json:"s"`
	Text string  `json:"text"`
}

var count = 0

type broken struct{ sent bool }

func (b *broken) Read(p []byte) (int, error) {
	if b.sent {
		return 0, errors.New("the stream broke")
	}
	b.sent = true
	return copy(p, "first part"), nil
}

func handle(ctx context.Context, event json.RawMessage) (interface{}, error) {
	var o order
	_ = json.Unmarshal(event, &o)
	count++
	switch o.Do {
	case "raise":
		return nil, errors.New(o.Text)
	case "panic":
		panic(o.Text)
	case "exit":
		os.Exit(o.N)
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.Signal(o.N))
		time.Sleep(time.Hour)
	case "sleep":
		time.Sleep(time.Duration(o.S * float64(time.Second)))
	case "big":
		return strings.Repeat("x", o.N), nil
	case "print":
		fmt.Println(o.Text)
	case "stream":
		return io.MultiReader(strings.NewReader("one "), strings.NewReader("two")), nil
	case "broken-stream":
		return &broken{}, nil
	case "tmp":
		return nil, os.WriteFile("/tmp/f", make([]byte, o.N<<20), 0o600)
	case "memory":
		b := make([]byte, o.N<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		return len(b), nil
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]interface{}{"count": count, "event": event, "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn,
		"left": time.Until(deadline).Milliseconds()}, nil
}

func main() {
	switch os.Getenv("INIT") {
	case "raise":
		panic("no start")
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "sigterm":
		lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() { fmt.Println("told to end") }))
		return
	}
	lambda.Start(handle)
}
