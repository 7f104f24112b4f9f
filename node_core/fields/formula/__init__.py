"""Fields that users type: a formula becomes a field, safely."""
