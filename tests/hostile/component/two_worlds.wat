;; A format and tools in one: whose grants would it have?
(component
  (instance $nothing)
  (export "lapidary:plugin/format@0.1.0" (instance $nothing))
  (export "lapidary:plugin/template@0.1.0" (instance $nothing))
  (export "lapidary:plugin/parser@0.1.0" (instance $nothing))
  (export "lapidary:plugin/tools@0.1.0" (instance $nothing)))
