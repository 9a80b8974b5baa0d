"""What an assignment says: its folders, its manifest, and the frozen data that a manifest becomes."""
