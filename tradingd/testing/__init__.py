"""Fakes and builders for testing strategies and components, without mocks or sleeps."""
