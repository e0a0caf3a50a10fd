"""What `temper drill` plants in recipes with any number of labels."""

from ..drilling import Drill, always, copied
from .outcomes import ANSWER, TRUTH

DRILL = Drill(useless=always(ANSWER, "[]"), perfect=copied(TRUTH, ANSWER))
