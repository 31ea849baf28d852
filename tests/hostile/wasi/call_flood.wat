;; Makes requests and drops them without end: none is too many, their number is.
(import "wasi:http/types@0.2.0" "[resource-drop]fields" (func $drop_fields (param i32)))
(func $call (export "lapidary:plugin/tools@0.1.0#call")
  (param i32 i32 i32 i32 i32 i32) (result i32)
  (loop $more
    (call $drop_fields (call $new_fields))
    (br $more))
  (unreachable))
