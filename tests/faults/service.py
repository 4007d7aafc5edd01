"""The service: errors of every type, lost answers, storms, expired grants and links, results that are not what they seem, odd tasks."""
