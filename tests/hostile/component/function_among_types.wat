;; Hides a function in an interface that only has types.
(component
  (import "lapidary:plugin/types@0.1.0" (instance (export "read-file" (func))))
  (instance $nothing)
  (export "lapidary:plugin/format@0.1.0" (instance $nothing))
  (export "lapidary:plugin/template@0.1.0" (instance $nothing))
  (export "lapidary:plugin/parser@0.1.0" (instance $nothing)))
