"""What `temper drill` plants in recipes that find entities."""

from ..drilling import Drill, always, copied
from .outcomes import ANSWER, TRUTH

DRILL = Drill(useless=always(ANSWER, "[]"), perfect=copied(TRUTH, ANSWER))
