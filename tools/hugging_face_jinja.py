"""jinja2 as transformers sets it up for chat templates, with a clock that stands still."""

import datetime
import json

import jinja2
from transformers.utils import chat_template_utils

NOW = datetime.datetime(2024, 7, 26, 15, 4, 5)


class StoppedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = StoppedClock


def render(template, variables):
    """The text, or (kind, message): "raised" when the template refuses, "error" otherwise."""
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        return compiled.render(**variables)
    except jinja2.exceptions.TemplateSyntaxError as error:
        return ("error", f"line {error.lineno}: {error}")
    except jinja2.exceptions.TemplateError as error:
        raised = type(error) is jinja2.exceptions.TemplateError
        return ("raised" if raised else "error", str(error))
    except Exception as error:  # what Python raises goes through jinja2
        return ("error", f"{type(error).__name__}: {error}")


def plain(variables):
    """The variables as JSON has them."""
    return json.loads(json.dumps(variables))
