"""What the site is made of: pages of the repository with links of the site, and pages made of the code."""
