;; Gets http://HOST/, where the host is the call's id, and answers with the body's beginning.
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $future i32)
  (local.set $future (call $send (call $request (local.get 0) (local.get 1))))
  (if (i32.eq (local.get $future) (i32.const -1)) (then (return (call $refused (i32.const 1208)))))
  (call $await (local.get $future)))
