;; Gives one request after another a method, a host and a path of 60 KiB, which somebody would have to keep. Answers with
;; how many of the three were taken.
(import "wasi:http/types@0.2.0" "[method]outgoing-request.set-method" (func $set_method (param i32 i32 i32 i32) (result i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $request i32)
  (memory.fill (i32.const 65536) (i32.const 97) (i32.const 61440))
  (i32.store8 (i32.const 65536) (i32.const 47))
  (local.set $request (call $new_request (call $new_fields)))
  (i32.store8 (i32.const 1200) (i32.sub (i32.const 3) (i32.add (i32.add
    (call $set_method (local.get $request) (i32.const 9) (i32.const 65537) (i32.const 61439))
    (call $set_authority (local.get $request) (i32.const 1) (i32.const 65537) (i32.const 61439)))
    (call $set_path (local.get $request) (i32.const 1) (i32.const 65536) (i32.const 61440)))))
  (call $refused (i32.const 1200)))
