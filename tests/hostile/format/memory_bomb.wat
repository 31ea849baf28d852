;; Grows its memory page by page until somebody objects.
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (loop $more
    (drop (memory.grow (i32.const 1)))
    (br $more))
  (unreachable))
