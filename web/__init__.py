"""What stands behind the demo, `app.py`: nothing here knows the layout, nothing there the rest.

| file | holds |
| --- | --- |
| `choices.py` | what a visitor may ask for and an operator allows, checked |
| `uploads.py` | a file from a stranger → a picture or a mask |
| `material.py` | a picture and a choice → a task to fit |
| `fitting.py`, `gpu.py` | the fit, as a stream of news; on a lent GPU where there is one |
| `live.py` | one run: its frames, its numbers, its downloads |
| `line.py` | one run at a time, the others in a line |
| `service.py` | visitors: a picture, a run and a folder each, gone when they go |
| `held.py`, `folders.py` | uploads, until nobody holds them; folders, until the process ends |
| `gate.py` | what the web server hands out and refuses |
| `api.py`, `api.md` | the public endpoint |
| `scrubber.py` with `.html`, `.js`, `.css` | the scrubber in the page |
| `painter.py` with `.html`, `.js`, `.css`; `thumbs.js` | the brush for masks; the examples |
| `words.py`, `about.md`, `page.css`, `page.js` | what the page says, and how it looks |
| `safe.py`, `options.py`, `launching.py` | errors as sentences; options; Gradio's settings |
| `make_example.py`, `examples/` | what a visitor lands on, made ahead |

What `app.py` imports does without PyTorch, which takes seconds and half a gigabyte: `uploads`,
`material`, `fitting` and `live` come with the first picture.
"""
