;; Answers, and then never cleans up.
(func (export "cabi_post_lapidary:plugin/template@0.1.0#render") (param i32)
  (loop $forever (br $forever)))
