"""What `temper drill` plants in recipes that write texts."""

from ..drilling import Drill, always, copied
from .outcomes import ANSWER, TRUTH

DRILL = Drill(useless=always(ANSWER, ""), perfect=copied(TRUTH, ANSWER), ends=True)
