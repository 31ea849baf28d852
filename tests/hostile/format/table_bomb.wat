;; Grows a table until somebody objects.
(table $table 1 funcref)
(func $render (export "lapidary:plugin/template@0.1.0#render")
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  (loop $more
    (drop (table.grow $table (ref.null func) (i32.const 1000)))
    (br $more))
  (unreachable))
