;; Panics, as a Rust guest does.
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (unreachable))
