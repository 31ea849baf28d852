;; What a tool provider needs to send requests through wasi:http; see tools.wat.

;; part $new_fields
(import "wasi:http/types@0.2.0" "[constructor]fields" (func $new_fields (result i32)))
(import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $new_request (param i32) (result i32)))
(import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme" (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
(import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority" (func $set_authority (param i32 i32 i32 i32) (result i32)))
(import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query" (func $set_path (param i32 i32 i32 i32) (result i32)))
(import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))
(import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
(import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
(import "wasi:http/types@0.2.0" "[method]incoming-response.consume" (func $consume (param i32 i32)))
(import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $stream (param i32 i32)))
(import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))

;; part $request
;; A request without headers for http://AUTHORITY/.
(data (i32.const 1100) "/")
(func $request (param $at i32) (param $length i32) (result i32)
  (local $request i32)
  (local.set $request (call $new_request (call $new_fields)))
  (if (call $set_scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))
    (then (unreachable)))
  (if (call $set_authority (local.get $request) (i32.const 1) (local.get $at) (local.get $length))
    (then (unreachable)))
  (if (call $set_path (local.get $request) (i32.const 1) (i32.const 1100) (i32.const 1))
    (then (unreachable)))
  (local.get $request))

;; part $send
;; Begins a request; without one what it leaves at 1200 is why.
(func $send (param $request i32) (result i32)
  (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 1200))
  (if (result i32) (i32.load8_u (i32.const 1200))
    (then (i32.const -1))
    (else (i32.load (i32.const 1208)))))

;; part $refused
;; Answers with the number of the error code at an address, as two digits.
(func $refused (param $at i32) (result i32)
  (local $code i32)
  (local.set $code (i32.load8_u (local.get $at)))
  (i32.store8 (i32.const 1104) (i32.add (i32.const 48) (i32.div_u (local.get $code) (i32.const 10))))
  (i32.store8 (i32.const 1105) (i32.add (i32.const 48) (i32.rem_u (local.get $code) (i32.const 10))))
  (i32.store8 (i32.const 1024) (i32.const 1))
  (i32.store (i32.const 1032) (i32.const 1104))
  (i32.store (i32.const 1036) (i32.const 2))
  (call $tell))

;; part $await
;; Answers with the first piece of what a request brings, or with why it brings nothing.
(func $await (param $future i32) (result i32)
  (call $block (call $subscribe (local.get $future)))
  (call $get (local.get $future) (i32.const 1200))
  (if (i32.load8_u (i32.const 1216)) (then (return (call $refused (i32.const 1224)))))
  (call $consume (i32.load (i32.const 1224)) (i32.const 1200))
  (call $stream (i32.load (i32.const 1204)) (i32.const 1200))
  (call $read (i32.load (i32.const 1204)) (i64.const 65536) (i32.const 1024))
  (call $tell))
