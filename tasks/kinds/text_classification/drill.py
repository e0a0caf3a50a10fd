"""What `temper drill` plants in recipes that classify texts."""

from ..drilling import Drill, copied, next_class
from .outcomes import ANSWER, TRUTH

DRILL = Drill(useless=next_class, perfect=copied(TRUTH, ANSWER))
