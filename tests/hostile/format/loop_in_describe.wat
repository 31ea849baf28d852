;; Never describes itself.
(func $describe (export "lapidary:plugin/format@0.1.0#describe") (result i32)
  (loop $forever (br $forever))
  (unreachable))
