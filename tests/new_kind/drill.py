"""What `temper drill` plants in recipes of this kind."""

from ..drilling import Drill, copied, next_class
from .outcomes import ANSWER, TRUTH

DRILL = Drill(useless=next_class, perfect=copied(TRUTH, ANSWER))
