"""Phantom subjects: whole brains in four MRI frames, with or without lesions, whose truth is known.

A subject is a few hundred thousand random numbers (`draw_subject`); its voxels follow from them, slab by slab
(`render`). The anatomy is that of the MNI152 template, deformed anew for each subject.
"""
