"""From an invoice to the documents that go out: Factur-X XML, PDF, and the proof that both are lawful."""
