;; Sends requests to http://HOST/ without end and waits for none, where the host is the call's id; then waits for the
;; last one.
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $future i32) (local $count i32)
  (loop $more
    (local.set $future (call $send (call $request (local.get 0) (local.get 1))))
    (if (i32.eq (local.get $future) (i32.const -1)) (then (unreachable)))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $count) (i32.const 50))))
  (call $await (local.get $future)))
