;; Adds the same header without end.
(import "wasi:http/types@0.2.0" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
(data (i32.const 1500) "x-bomb")
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (local $fields i32)
  (local.set $fields (call $new_fields))
  (loop $more
    (call $append (local.get $fields)
      (i32.const 1500) (i32.const 6) (i32.const 1500) (i32.const 6) (i32.const 1200))
    (br_if $more (i32.eqz (i32.load8_u (i32.const 1200)))))
  (unreachable))
