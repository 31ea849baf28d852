;; Asks for the best scores again and again.
(import "lapidary:plugin/logits@0.1.0" "[method]view.top" (func $top_of (param i32 i32 i32)))
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (loop $forever
    (call $top_of (local.get 3) (i32.const -1) (i32.const 1024))
    (global.set $top (i32.const 4096))
    (br $forever))
  (unreachable))
