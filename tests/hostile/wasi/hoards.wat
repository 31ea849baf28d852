;; Gets http://HOST/ again and again, where the host is the call's id, and reads none of the answers. Answers with why it
;; got no more.
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $future i32)
  (loop $more
    (local.set $future (call $send (call $request (local.get 0) (local.get 1))))
    (call $block (call $subscribe (local.get $future)))
    (call $get (local.get $future) (i32.const 1200))
    (br_if $more (i32.eqz (i32.load8_u (i32.const 1216)))))
  (call $refused (i32.const 1224)))
