;; Begins a body for http://HOST/ that it never ends, where the host is the call's id, and waits for the answer.
(import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $body (param i32 i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $request i32)
  (local.set $request (call $request (local.get 0) (local.get 1)))
  (call $body (local.get $request) (i32.const 1200))
  (call $await (call $send (local.get $request))))
