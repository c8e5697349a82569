"""What is fitted: the hourglass, the architectures it is compared with, and a frozen AlexNet."""
