;; A format that wants to talk to the operator.
(component
  (import "lapidary:plugin/log@0.1.0" (instance (export "emit" (func))))
  (instance $nothing)
  (export "lapidary:plugin/format@0.1.0" (instance $nothing))
  (export "lapidary:plugin/template@0.1.0" (instance $nothing))
  (export "lapidary:plugin/parser@0.1.0" (instance $nothing)))
